"""`touchline demo`: the screens that show a simulated population on its way through the pipeline."""
