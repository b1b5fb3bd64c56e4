"""What keeps the lake in order: one writer at a time, a journal of jobs, readiness for training, maintenance."""
