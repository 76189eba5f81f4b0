"""A linear classifier over hashed n-grams: what `elek classifier` trains and two filters read.

Features are the character n-grams of each word and the n-grams of words, hashed with a sign into a table of 2^k
weights (Weinberger et al. 2009, feature hashing); the model is logistic regression, trained online by FTRL-Proximal
(McMahan et al. 2013, algorithm 1) in a fixed order, and calibrated on documents held out from that (Platt 1999). A
model is a folder: `model.json`, its header, and `weights.npz`, plain arrays. Nothing in it is ever executed.

    elek.classifier.kernel     bytes → hashed features → sums and updates (numba)
    elek.classifier.model      a trained model: load, save, probabilities
    elek.classifier.labelled   labelled documents out of files
    elek.classifier.training   documents → model
    elek.classifier.metrics    precision, recall, thresholds
    elek.classifier.settings   how params name a model
"""
