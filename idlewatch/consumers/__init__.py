"""The WebSocket side: one consumer for each open tab, and what it shares with the live page's."""
