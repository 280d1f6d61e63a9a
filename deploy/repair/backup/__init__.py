"""Save the topics of a deployment in files, and make a deployment of them again."""
