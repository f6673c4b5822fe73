"""One runnable file per job. Each reads artifacts, calls the rooms and writes artifacts."""
