using VfioUser.Protocol;

namespace VfioUser.Tests.Serving;

/// <summary>A message from the server, taken apart by nobody yet.</summary>
internal sealed record RawReply(MessageHeader Header, byte[] Payload, FdList? Fds)
{
    /// <summary>What a refusal is: a bare header with the Error bit and the errno, and no descriptors.</summary>
    public void ShouldBeRefused(Errno errno)
    {
        Header.Should().Be(new MessageHeader(
            Header.MessageId, Header.Command, MessageHeader.WireSize, MessageFlags.Reply | MessageFlags.Error, (uint)errno));
        Fds.Should().BeNull();
    }

    /// <summary>A reply without error and with no payload.</summary>
    public void ShouldBeGranted()
    {
        ShouldHaveNoError();
        Payload.Should().BeEmpty();
    }

    /// <summary>A reply without error, whose payload is one structure and nothing else.</summary>
    public T ShouldBeGranted<T>()
        where T : unmanaged
    {
        T value = ShouldBegin<T>(out byte[] rest);
        rest.Should().BeEmpty();
        return value;
    }

    /// <summary>A reply without error, whose payload begins with a structure.</summary>
    public T ShouldBegin<T>(out byte[] rest)
        where T : unmanaged
    {
        ShouldHaveNoError();
        WireFormat.TryRead(Payload, out T value).Should().BeTrue("the reply has {0} bytes of payload", Payload.Length);
        rest = Payload[System.Runtime.CompilerServices.Unsafe.SizeOf<T>()..];
        return value;
    }

    private void ShouldHaveNoError()
    {
        Header.Error.Should().Be(0u);
        Header.Flags.Should().Be(MessageFlags.Reply);
    }
}
