// A function without a body, as mainMain is, needs a file like this one beside it.
