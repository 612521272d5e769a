// Datagrams: system calls, and how a buffer that holds a message is laid out.
#ifndef CURING_DATAGRAMS_H
#define CURING_DATAGRAMS_H

#include "CUring.h"

// --- datagrams --------------------------------------------------------------------------------------------------------

// <linux/udp.h>: segmentation offload of sends (Linux 4.18) and of receives (Linux 5.0).
enum {
    CU_UDP_LEVEL = IPPROTO_UDP,
    CU_UDP_SEGMENT = 103,
    CU_UDP_GRO = 104,
};

/// Datagrams that one call receives at most.
enum { CU_BATCH_MESSAGES = 32 };

/// struct mmsghdr, which libc declares for programs with its GNU extensions only.
struct cu_counted_message {
    struct msghdr header;
    unsigned int byte_count;
};

/// What recvmmsg(2) is given: each message with the one run of bytes that it fills.
struct cu_message_batch {
    struct cu_counted_message messages[CU_BATCH_MESSAGES];
    struct iovec runs[CU_BATCH_MESSAGES];
};

/// Lays a buffer out as io_uring does: struct io_uring_recvmsg_out, sender, control data, bytes.
static inline void cu_set_batch_message(struct cu_message_batch *batch, long index, void *buffer, size_t buffer_bytes,
                                        uint32_t name_bytes, size_t control_bytes) {
    char *name = (char *)buffer + sizeof(struct io_uring_recvmsg_out);
    char *control = name + name_bytes;
    char *bytes = control + control_bytes;
    batch->runs[index] = (struct iovec){.iov_base = bytes, .iov_len = (size_t)((char *)buffer + buffer_bytes - bytes)};
    batch->messages[index].header = (struct msghdr){.msg_name = name_bytes ? name : NULL,
                                                    .msg_namelen = name_bytes,
                                                    .msg_iov = &batch->runs[index],
                                                    .msg_iovlen = 1,
                                                    .msg_control = control_bytes ? control : NULL,
                                                    .msg_controllen = control_bytes};
}

/// How many messages came, or -errno.
static inline long cu_receive_batch(int descriptor, struct cu_message_batch *batch, unsigned count) {
    long result = syscall(SYS_recvmmsg, descriptor, batch->messages, count, MSG_DONTWAIT, NULL);
    return result < 0 ? -errno : result;
}

/// Writes the head of a buffer that a message came into, and returns how many bytes are in use.
static inline int32_t cu_end_batch_message(struct cu_message_batch *batch, long index, void *buffer) {
    const struct cu_counted_message *message = &batch->messages[index];
    *(struct io_uring_recvmsg_out *)buffer =
        (struct io_uring_recvmsg_out){.namelen = message->header.msg_namelen,
                                      .controllen = (uint32_t)message->header.msg_controllen,
                                      .payloadlen = message->byte_count,
                                      .flags = (uint32_t)message->header.msg_flags};
    return (int32_t)((char *)batch->runs[index].iov_base - (char *)buffer) + (int32_t)message->byte_count;
}

/// Receives one message into `bytes`; sender and control data go where `message` says. A count or -errno.
long cu_receive_message(int descriptor, struct cu_message *message, void *bytes, size_t count);

/// Sends one datagram at once; `address` may be NULL. A count or -errno.
static inline long cu_send_datagram(int descriptor, const void *bytes, size_t count, const struct cu_address *address) {
    long result = syscall(SYS_sendto, descriptor, bytes, count, MSG_NOSIGNAL | MSG_DONTWAIT,
                          address ? &address->storage : NULL, address ? address->length : 0);
    return result < 0 ? -errno : result;
}

/// Sends bytes that the kernel cuts into datagrams of `segment_bytes`. A count or -errno.
long cu_send_segments(int descriptor, const void *bytes, size_t count, const struct cu_address *address,
                      uint16_t segment_bytes);
/// The control data that tell the size of segments that were put together.
enum { CU_GRO_CONTROL_BYTES = CMSG_SPACE(sizeof(int)) };

/// AF_INET, AF_INET6, AF_UNIX (SO_DOMAIN), or -errno.
int cu_socket_family(int descriptor);
/// The kind of a socket: SOCK_STREAM, SOCK_DGRAM, …, or -errno.
int cu_socket_type(int descriptor);
/// Joins or leaves a group of IPv4, in network order; 0 or -errno.
int cu_set_membership4(int descriptor, bool joins, uint32_t group, uint32_t interface);
/// The same for IPv6, sixteen bytes.
int cu_set_membership6(int descriptor, bool joins, const void *group, uint32_t interface);
/// Sends to groups by an interface; zero leaves it to the routes. 0 or -errno.
int cu_set_multicast_interface4(int descriptor, uint32_t interface);
/// The number of a network interface; zero when none has this name.
uint32_t cu_interface_index(const char *name);

#endif
