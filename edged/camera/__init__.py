"""Where frames come from: pictures as a camera gives them, and the sources that give them."""
