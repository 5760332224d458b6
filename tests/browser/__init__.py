"""What a person at a tab meets, in a real Chromium, on a real Daphne."""
