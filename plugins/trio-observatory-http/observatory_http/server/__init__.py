# From the socket to the library:
# service      opens the door, and tells where it is
# connections  lets clients in, as many as there is room for, and sees them off
# gate         the one layer before every route: Host, Origin, token, rate, bounds
# pages        what browsers are told whose page may ask
# site         which route answers what
# resource     what is at one path, for each method
# metrics      figures, as Prometheus reads them
# api          what is below `/api`: where it is, and who does it
# library      the methods of the library that are there
# endpoints    a typed function, offered at a path
# openapi      the document that describes all that
# events       hook events of coding agents
# offers       unread mail, for those whose program asks what to add to their context
# json_data    JSON as it comes in, checked
# client_stream  what anycorn reads a client from
# body         the body of a request, within its bounds
# answers      what is answered, errors included
