"""What services get from Touchline's public topics: the present state of each person, and every change of it."""
