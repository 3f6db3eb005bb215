"""The class names of PASCAL Context 59, the fixed word list of Grad-ECLIP's evaluation of CLIP Surgery."""

_NAMES = """
airplane, bag, bed, bedclothes, bench, bicycle, bird, boat, book, bottle, building, bus, cabinet, car,
cat, ceiling, chair, cloth, computer, cow, cup, curtain, dog, door, fence, floor, flower, food, grass,
ground, horse, keyboard, light, motorbike, mountain, mouse, person, plate, platform, potted plant, road,
rock, sheep, shelves, sidewalk, sign, sky, snow, sofa, table, track, train, tree, truck, tv monitor,
wall, water, window, wood
"""
PASCAL_CONTEXT = tuple(" ".join(_NAMES.split()).split(", "))
