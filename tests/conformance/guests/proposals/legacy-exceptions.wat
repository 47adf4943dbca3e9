;; Tries, as before exceptions were standard.
(component (core module (func try end)))
