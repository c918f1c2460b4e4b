"""A map's own frame to the world: gravity, control points, a measured distance, a drawn path.

Every function here is arrays in, arrays out; ``sightline.app.align`` reads and writes the place.
"""
