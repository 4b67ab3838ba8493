using System.Text.Json;
using VfioUser.Protocol;

namespace VfioUser.Tests.Serving;

/// <summary>A message from the server, taken apart by nobody yet.</summary>
internal sealed record RawReply(MessageHeader Header, byte[] Payload, FdList? Fds)
{
    /// <summary>What a refusal is: a header with the Error bit and the errno, as many bytes as a success would have where a
    /// client is known that reads them, and no descriptors.</summary>
    public void ShouldBeRefused(Errno errno)
    {
        ShouldHaveError(errno);
        switch (Header.Command)
        {
            case Command.Version:
                WireFormat.Read<ProtocolVersion>(Payload).Should().Be(Negotiator.Version);
                using (JsonDocument text = JsonDocument.Parse(Payload.AsMemory(ProtocolVersion.WireSize, Payload.Length - ProtocolVersion.WireSize - 1)))
                {
                    text.RootElement.GetProperty("error").GetString().Should().NotBeEmpty();
                    text.RootElement.TryGetProperty("capabilities", out _).Should().BeFalse("some take that for a success");
                }
                Payload.Length.Should().BeLessThan(180, "QEMU has room for as much as it proposed");
                break;
            case Command.DmaUnmap:
                All<DmaUnmap>().Should().Match<DmaUnmap>(body => body.Argsz == DmaUnmap.WireSize && body.Size == 0);
                break;
            case Command.DeviceGetInfo:
                All<DeviceInfo>().Should().Be(new DeviceInfo(DeviceInfo.WireSize, 0, 0, 0));
                break;
            case Command.DeviceGetRegionInfo:
                RegionInfo region = All<RegionInfo>();
                region.Should().Be(new RegionInfo(RegionInfo.WireSize, 0, region.Index, 0, 0, 0));
                break;
            case Command.DeviceGetIrqInfo:
                IrqInfo irq = All<IrqInfo>();
                irq.Should().Be(new IrqInfo(IrqInfo.WireSize, 0, irq.Index, 0));
                break;
            case Command.RegionRead:
                Payload.Length.Should().Be(RegionAccess.WireSize + (int)WireFormat.Read<RegionAccess>(Payload).Count);
                Payload.AsSpan(RegionAccess.WireSize).ContainsAnyExcept((byte)0xFF).Should().BeFalse("a bus reads all ones where nothing is");
                break;
            case Command.RegionWrite:
                All<RegionAccess>().Count.Should().Be(0, "nothing was written");
                break;
            default:
                Payload.Should().BeEmpty();
                break;
        }
    }

    /// <summary>A refusal without a body: of what is no command, or ends the session.</summary>
    public void ShouldBeRefusedAlone(Errno errno)
    {
        ShouldHaveError(errno);
        Payload.Should().BeEmpty();
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

    private T All<T>()
        where T : unmanaged
    {
        Payload.Length.Should().Be(System.Runtime.CompilerServices.Unsafe.SizeOf<T>());
        return WireFormat.Read<T>(Payload);
    }

    private void ShouldHaveError(Errno errno)
    {
        Header.Should().Be(new MessageHeader(Header.MessageId, Header.Command, (uint)(MessageHeader.WireSize + Payload.Length),
            MessageFlags.Reply | MessageFlags.Error, (uint)errno));
        Fds.Should().BeNull();
    }

    private void ShouldHaveNoError()
    {
        Header.Error.Should().Be(0u);
        Header.Flags.Should().Be(MessageFlags.Reply);
    }
}
