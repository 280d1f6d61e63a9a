"""`touchline demo`: a simulated population through the whole path, and what comes out."""
