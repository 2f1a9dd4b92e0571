"""What the practice LMS promises, seen from outside: over HTTP, against a process that was really started."""
