"""The demo: the whole chain on scikit-learn's digits, in a few minutes, with nothing downloaded."""
