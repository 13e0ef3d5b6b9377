"""The steps that `models/base/build.py` composes: sources, weights, network, photos, quantise, flatbuffer, package."""
