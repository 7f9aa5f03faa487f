/* Hexadecimal, in which the words of questions are. */
#include <stddef.h>
#include <string.h>

static int digit(char c) { return c <= '9' ? c - '0' : c - 'a' + 10; }

/* Decodes in place; returns the length. */
static size_t decode(char *text)
{
    size_t length = strlen(text) / 2;
    for (size_t i = 0; i < length; i++)
        text[i] = (char)(digit(text[2 * i]) << 4 | digit(text[2 * i + 1]));
    text[length] = 0;
    return length;
}
