"""What everything stands on: errors, random numbers, files, arithmetic. Nothing of the subject."""
