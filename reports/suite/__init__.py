"""Many runs on one page: what holds, what broke, what changed, what was never looked at."""
