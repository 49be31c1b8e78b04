"""From numbers to what people read: tables, pictures, and one self-contained page."""
