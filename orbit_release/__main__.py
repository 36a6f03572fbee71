from orbit_release.cli.entry import main

main()
