from orbit_release.cli import main

main()
