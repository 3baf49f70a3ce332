"""The dashboard: a Streamlit app."""
