"""A session whose arrays are on another machine: frames over two byte streams, an agent, and a client."""
