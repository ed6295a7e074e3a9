"""Playback tokens: what they may say, which keys verify them, and what they open (pure)."""
