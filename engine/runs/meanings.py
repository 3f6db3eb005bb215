"""What each metric of a run says, in a sentence."""

MEANINGS = {
    "deletion": "Mean score while patches are hidden, most relevant first: low where the map finds it.",
    "insertion": "Mean score while patches are revealed on an empty picture, most relevant first.",
    "aid": "How much longer the score lasts when the least relevant patches are hidden first; little "
    "depends on the fill.",
    "slope": "Mean drop of the score per 10 % over the first 30 % that are hidden.",
    "share90": "Smallest share of the patches whose reveal brings back 90 % of the score.",
    "road": "Least less most relevant first, hidden by a noisy guess from the neighbours instead of a flat "
    "colour.",
    "saco": "Whether groups of patches that the map ranks higher change the score more when hidden, in "
    "proportion.",
    "mu_fidelity": "Correlation of the relevance in random groups of patches with what hiding them costs.",
    "infidelity": "Squared error of the map, scaled to fit, as a linear prediction of the score under noise.",
    "max_sensitivity": "Largest relative change of the map when the image changes invisibly.",
    "confidence_drop": "Score lost, in points, when the image is dimmed by the map.",
    "confidence_increase": "Share of images whose score rises when the image is dimmed by the map.",
    "pointing": "Whether the map's maximum lies in the object's region.",
    "pointing_15": "The same, with 15 pixels of tolerance around the region.",
    "energy": "Share of the positive relevance that lies in the object's region.",
    "miou": "Overlap of the map above its own mean with the object, mean of object and background; the "
    "threshold matters.",
    "accuracy": "Share of the pixels that the map above its own mean assigns to the right side.",
    "map": "Average precision of the map as a ranking of pixels, object against background; needs no "
    "threshold.",
    "gini": "How unequal the relevance is: 0 the same everywhere, near 1 all of it in one place.",
    "entropy": "How spread out the relevance is; low where it is in few places.",
    "text_specificity": "How much the map changes for another object's prompt: 1 less the rank correlation.",
    "meaningless_text": "How much the map changes for a prompt that means nothing.",
    "score_fidelity": "Distance between the score that the method explains and the one that the model gives.",
    "randomisation": "Likeness, by rank, to the map of a model with random weights; high means it ignores "
    "the model.",
    "randomisation_ssim": "The same, by structural similarity.",
    "milliseconds": "Wall time of a map when all methods share one recording of the model.",
    "milliseconds_alone": "Wall time of a map when its method is asked for alone, the recording included.",
    "forward_passes": "Inputs that the image tower computes when the method is asked for alone.",
}
