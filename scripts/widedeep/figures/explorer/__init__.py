"""The explorer: one HTML file to look at the networks of a study in a browser, offline, layer by layer.

`contents` chooses what fits into the page, and `networks` reads networks and pairs from their files. `views` links
claims to states of the page, and `page` packs all of it with the HTML, styles and scripts in `parts`.
"""
