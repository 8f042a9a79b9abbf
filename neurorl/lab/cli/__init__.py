"""Hold the commands of this package, a file each."""
