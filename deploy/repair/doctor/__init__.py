"""`touchline doctor`: looks at every part of a deployment, says what is wrong and how to mend it."""
