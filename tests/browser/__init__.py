"""Journeys in a real Chromium, or Firefox, on a real Daphne."""
