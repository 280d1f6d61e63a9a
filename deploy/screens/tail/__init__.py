"""`touchline tail`: the public topics as they grow, filtered, a line for each record."""
