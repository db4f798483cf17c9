"""What an application links against: connections and sessions."""
