"""What can be measured of a place, half-built or imported too; nothing is judged or written."""
