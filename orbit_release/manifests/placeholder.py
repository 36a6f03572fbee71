def is_placeholder(tag: str) -> bool:
    return False
