"""The command line: one file a group of commands.  A thin client of a running server, except for `start`."""
