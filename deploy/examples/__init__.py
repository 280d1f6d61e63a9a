"""Programs of subscribers that run as they are: with the standard library, and no module of Touchline."""
