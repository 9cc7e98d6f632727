"""The explorer of a study: one HTML file to look at its networks in, offline, layer by layer."""
