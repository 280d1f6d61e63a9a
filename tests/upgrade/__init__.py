"""What earlier releases left in Kafka, and whether the present code goes on from there."""
