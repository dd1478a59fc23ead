"""hodograph: measure, train and study the path a language model's weights take."""
