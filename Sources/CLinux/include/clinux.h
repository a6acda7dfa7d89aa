#ifndef DAYBOOK_CLINUX_H
#define DAYBOOK_CLINUX_H

#endif
