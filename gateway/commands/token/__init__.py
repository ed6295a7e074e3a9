"""``gateway token``: what would the gateway say of a playback token?"""
