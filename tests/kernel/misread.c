/* A kernel with another layout: changes the requests for policies that the preloading program sends to XFRM, so that the kernel
 * reads them as it would read those of a program of another architecture. MISREAD=template hides the template, MISREAD=selector
 * changes the selector of every request. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <linux/netlink.h>
#include <linux/xfrm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

/* Unknown attributes are ignored. */
#define UNKNOWN 0x3f

static void hide_template(struct nlmsghdr *header) {
	struct nlattr *attribute = (void *)((char *)(header + 1) + NLMSG_ALIGN(sizeof(struct xfrm_userpolicy_info)));
	char *end = (char *)header + header->nlmsg_len;
	while ((char *)(attribute + 1) <= end && attribute->nla_len >= sizeof(*attribute)) {
		if (attribute->nla_type == XFRMA_TMPL)
			attribute->nla_type = UNKNOWN;
		attribute = (void *)((char *)attribute + NLA_ALIGN(attribute->nla_len));
	}
}

static void misread(void *message) {
	struct nlmsghdr *header = message;
	const char *how = getenv("MISREAD");
	int adds = header->nlmsg_type == XFRM_MSG_NEWPOLICY || header->nlmsg_type == XFRM_MSG_UPDPOLICY;
	if (adds && how && !strcmp(how, "template"))
		hide_template(header);
	/* The selector is the first field of the structures of all three requests. */
	if ((adds || header->nlmsg_type == XFRM_MSG_DELPOLICY) && how && !strcmp(how, "selector")) {
		((struct xfrm_selector *)(header + 1))->proto = 99;
		if (adds)
			hide_template(header);
	}
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
	ssize_t (*real)(int, const struct msghdr *, int) = dlsym(RTLD_NEXT, "sendmsg");
	int protocol = -1;
	socklen_t len = sizeof(protocol);
	getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &len);
	/* The numbers of other protocols may be equal: 6 is also TCP's, whose messages are not lists of requests. */
	int domain = 0;
	getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len);
	if (domain == AF_NETLINK && protocol == NETLINK_XFRM)
		for (size_t i = 0; i < message->msg_iovlen; i++)
			if (message->msg_iov[i].iov_len >= sizeof(struct nlmsghdr))
				misread(message->msg_iov[i].iov_base);
	return real(fd, message, flags);
}
