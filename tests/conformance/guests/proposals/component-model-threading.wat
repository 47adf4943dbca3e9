;; Asks which of its threads runs.
(component (component (core func (canon thread.index))))
