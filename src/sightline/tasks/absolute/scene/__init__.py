"""Scene coordinates: a network tells each cell of an image where in the place it looks; then PnP.

Trained on the map's own points. After Shotton et al. 2013 (scene coordinates), Brachmann and
Rother 2022 (DSAC*, in a network), Li et al. 2020 (HSCNet, regions first).
"""
