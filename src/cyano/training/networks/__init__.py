"""The networks in the form that training needs, and the weights that it begins with."""
