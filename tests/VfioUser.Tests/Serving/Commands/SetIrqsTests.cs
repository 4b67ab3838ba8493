using System.Runtime.InteropServices;
using VfioUser.Protocol;

namespace VfioUser.Tests.Serving;

/// <summary>Scenarios: test_device_set_irqs.py, test_irq_trigger.py. Spec: VFIO_USER_DEVICE_SET_IRQS.</summary>
public sealed class SetIrqsTests : IDisposable
{
    private const uint None = 0x1, Bool = 0x2, EventFds = 0x4, Mask = 0x8, Unmask = 0x10, Trigger = 0x20;
    private const uint IntxType = 0, MsiType = 1, MsiXType = 2, ErrorType = 3, RequestType = 4;

    private readonly Served _served = Served.Start();
    private readonly RawClient _client;
    private readonly EventFd _first = new();
    private readonly EventFd _second = new();

    public SetIrqsTests() => _client = _served.Attach();

    public void Dispose()
    {
        _client.Dispose();
        _served.Dispose();
        _first.Dispose();
        _second.Dispose();
    }

    private static byte[] Set(uint flags, uint index, uint start, uint count, params ReadOnlySpan<byte> bools) =>
        RawClient.Bytes(new IrqSet((uint)(IrqSet.WireSize + bools.Length), (IrqSetFlags)flags, index, start, count), bools);

    private RawReply Ask(byte[] payload, params ReadOnlySpan<SafeHandle> fds) => _client.Ask(Command.DeviceSetIrqs, payload, fds);

    private void EnableTwo() =>
        Ask(Set(EventFds | Trigger, MsiXType, 0, 2), _first.Handle, _second.Handle).ShouldBeGranted();

    [Theory]
    [InlineData(Trigger | None, 5u, 0u, 0u)] // no such type
    [InlineData(Trigger | None, uint.MaxValue, 0u, 0u)]
    [InlineData(Trigger | None, MsiType, 0u, 1u)] // the device has none of it
    [InlineData(Trigger | EventFds, MsiType, 0u, 0u)]
    [InlineData(0u, MsiXType, 0u, 1u)] // no action, no data
    [InlineData(Trigger, MsiXType, 0u, 1u)]
    [InlineData(None, MsiXType, 0u, 1u)]
    [InlineData(Mask | Unmask, MsiXType, 0u, 0u)]
    [InlineData(Mask | Unmask | None, MsiXType, 0u, 1u)]
    [InlineData(Mask | Trigger | None, MsiXType, 0u, 1u)]
    [InlineData(Mask | None | Bool, MsiXType, 0u, 0u)]
    [InlineData(Trigger | None | EventFds, MsiXType, 0u, 1u)]
    [InlineData(Trigger | None | 0x40, MsiXType, 0u, 1u)] // libvfio-user lets these pass
    [InlineData(Trigger | None | 0x8000_0000, MsiXType, 0u, 1u)]
    [InlineData(Trigger | None | 0x40, MsiXType, 0u, 0u)]
    [InlineData(Mask | None, MsiXType, 2047u, 2u)] // ranges
    [InlineData(Mask | None, MsiXType, 2048u, 0u)]
    [InlineData(Mask | None, MsiXType, 2048u, 1u)]
    [InlineData(Mask | None, MsiXType, 2049u, 1u)]
    [InlineData(Trigger | None, MsiXType, 0u, 2049u)]
    [InlineData(Trigger | EventFds, MsiXType, 284u, uint.MaxValue)]
    [InlineData(Trigger | None, MsiXType, 1u, uint.MaxValue)] // the sum wraps around to 0
    [InlineData(Trigger | None, MsiXType, uint.MaxValue, 1u)]
    [InlineData(Trigger | None, IntxType, 0u, 2u)]
    [InlineData(Trigger | None, ErrorType, 0u, 2u)]
    [InlineData(Trigger | None, RequestType, 0u, 2u)]
    [InlineData(Mask | None, ErrorType, 0u, 1u)] // neither can be masked
    [InlineData(Unmask | None, ErrorType, 0u, 1u)]
    [InlineData(Mask | None, RequestType, 0u, 1u)]
    [InlineData(Unmask | None, RequestType, 0u, 1u)]
    [InlineData(Mask | None, MsiXType, 1u, 0u)] // a count of nothing means one thing only
    [InlineData(Trigger | None, MsiXType, 1u, 0u)]
    [InlineData(Mask | None, MsiXType, 0u, 0u)]
    [InlineData(Unmask | None, MsiXType, 0u, 0u)]
    [InlineData(Trigger | Bool, MsiXType, 0u, 0u)]
    [InlineData(Trigger | EventFds, MsiXType, 0u, 0u)]
    [InlineData(Trigger | Bool, MsiXType, 0u, 1u)] // without its byte
    [InlineData(Trigger | Bool, MsiXType, 0u, 2048u)]
    public void A_bad_field_is_refused(uint flags, uint index, uint start, uint count)
    {
        EnableTwo();

        Ask(Set(flags, index, start, count)).ShouldBeRefused(Errno.EINVAL);

        _client.ShouldBeServed();
        _first.Take().Should().Be(0);
        _second.Take().Should().Be(0);
        _served.Device.MsiX[0].IsEnabled.Should().BeTrue();
        _served.Device.MsiX[0].IsMasked.Should().BeFalse();
    }

    [Theory]
    [InlineData(0u)]
    [InlineData(3u)]
    [InlineData(19u)]
    public void An_argsz_that_does_not_hold_the_question_is_refused(uint argsz) =>
        Ask(RawClient.Bytes(new IrqSet(argsz, IrqSetFlags.DataNone | IrqSetFlags.ActionTrigger, RequestType, 0, 0))).ShouldBeRefused(Errno.EINVAL);

    [Theory]
    [InlineData(8)]
    [InlineData(19)]
    public void A_payload_that_is_too_short_is_refused(int length) =>
        Ask(Set(Trigger | None, RequestType, 0, 0)[..length]).ShouldBeRefused(Errno.EINVAL);

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(4000)]
    public void Bools_that_are_not_one_a_vector_are_refused(int bools)
    {
        EnableTwo();

        Ask(Set(Trigger | Bool, MsiXType, 0, 2, new byte[bools])).ShouldBeRefused(Errno.EINVAL);

        _client.ShouldBeServed();
    }

    [Theory]
    [InlineData(None | Trigger)]
    [InlineData(EventFds | Trigger)]
    public void Bytes_where_none_are_due_are_refused(uint flags) => Ask(Set(flags, MsiXType, 0, 1, 1)).ShouldBeRefused(Errno.EINVAL);

    [Fact]
    public void Descriptors_that_are_not_one_a_vector_are_refused()
    {
        Ask(Set(EventFds | Trigger, MsiXType, 0, 2), _first.Handle).ShouldBeRefused(Errno.EINVAL);
        Ask(Set(EventFds | Trigger, MsiXType, 0, 1), _first.Handle, _second.Handle).ShouldBeRefused(Errno.EINVAL);
        Ask(Set(EventFds | Trigger, MsiXType, 0, 2048), _first.Handle, _second.Handle).ShouldBeRefused(Errno.EINVAL);

        _client.ShouldBeServed();
        _served.Device.MsiX.Should().OnlyContain(irq => !irq.IsEnabled);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(16)]
    [InlineData(17)]
    [InlineData(100)]
    public void Descriptors_that_the_data_type_does_not_need_are_closed(int count)
    {
        SafeHandle[] surplus = [.. Enumerable.Repeat((SafeHandle)_second.Handle, count)];
        Ask(Set(EventFds | Trigger, MsiXType, 0, 1), _first.Handle).ShouldBeGranted();

        Ask(Set(None | Trigger, MsiXType, 0, 1), surplus).ShouldBeGranted();
        Ask(Set(Bool | Trigger, MsiXType, 0, 1, 1), surplus).ShouldBeGranted();
        _first.Take().Should().Be(2);
        Ask(Set(None | Mask, MsiXType, 0, 1), surplus).ShouldBeGranted();
        Ask(Set(None | Trigger, MsiXType, 0, 0), surplus).ShouldBeGranted();

        _served.Device.MsiX.Should().OnlyContain(irq => !irq.IsEnabled);
        _second.Take().Should().Be(0);
    }

    [Fact]
    public void As_many_descriptors_as_a_message_may_have_are_taken_and_one_more_is_refused()
    {
        SafeHandle[] sixteen = [.. Enumerable.Repeat((SafeHandle)_first.Handle, 16)];

        Ask(Set(EventFds | Trigger, MsiXType, 2032, 16), sixteen).ShouldBeGranted();
        Ask(Set(EventFds | Trigger, MsiXType, 0, 17), [.. sixteen, _second.Handle]).ShouldBeRefused(Errno.EINVAL);
        Ask(Set(EventFds | Trigger, MsiXType, 0, 100), [.. Enumerable.Repeat((SafeHandle)_first.Handle, 100)]).ShouldBeRefused(Errno.EINVAL);

        _client.ShouldBeServed();
        _served.Device.MsiX.Count(irq => irq.IsEnabled).Should().Be(16);
    }

    [Fact]
    public void A_trigger_signals_the_eventfd_bound_to_the_vector()
    {
        Ask(Set(EventFds | Trigger, MsiXType, 8, 1), _first.Handle).ShouldBeGranted();

        _served.Device.MsiX[8].Trigger().Should().BeTrue();
        _served.Device.MsiX[7].Trigger().Should().BeFalse(); // nobody listens

        _first.Take().Should().Be(1);
    }

    [Fact]
    public void A_second_descriptor_replaces_the_first()
    {
        Ask(Set(EventFds | Trigger, MsiXType, 0, 1), _first.Handle).ShouldBeGranted();
        Ask(Set(EventFds | Trigger, MsiXType, 0, 1), _second.Handle).ShouldBeGranted();

        _served.Device.MsiX[0].Trigger();

        _first.Take().Should().Be(0);
        _second.Take().Should().Be(1);
    }

    [Fact]
    public void The_client_triggers_by_none_a_whole_range()
    {
        EnableTwo();

        Ask(Set(None | Trigger, MsiXType, 1, 1)).ShouldBeGranted();
        Ask(Set(None | Trigger, MsiXType, 0, 2)).ShouldBeGranted();

        _first.Take().Should().Be(1);
        _second.Take().Should().Be(2);
    }

    [Fact]
    public void The_client_triggers_by_bool_those_that_are_not_zero()
    {
        EnableTwo();

        Ask(Set(Bool | Trigger, MsiXType, 0, 2, 0, 1)).ShouldBeGranted();
        Ask(Set(Bool | Trigger, MsiXType, 0, 2, 0, 0xFF)).ShouldBeGranted();

        _first.Take().Should().Be(0);
        _second.Take().Should().Be(2);
    }

    [Theory]
    [InlineData(MsiXType)]
    [InlineData(IntxType)]
    [InlineData(ErrorType)]
    [InlineData(RequestType)]
    public void A_count_of_zero_turns_a_whole_type_off(uint type)
    {
        Ask(Set(EventFds | Trigger, type, 0, 1), _first.Handle).ShouldBeGranted();

        Ask(Set(None | Trigger, type, 0, 0)).ShouldBeGranted();

        _served.Device.IrqsAt(type)!.Should().OnlyContain(irq => !irq.IsEnabled);
        _served.Device.IrqsAt(type)![0].Trigger().Should().BeFalse();
        _first.Take().Should().Be(0);
    }

    [Fact]
    public void Eventfds_without_descriptors_turn_their_vectors_off()
    {
        EnableTwo();

        Ask(Set(EventFds | Trigger, MsiXType, 0, 1)).ShouldBeGranted();

        _served.Device.MsiX[0].IsEnabled.Should().BeFalse();
        _served.Device.MsiX[1].IsEnabled.Should().BeTrue();
    }

    [Fact]
    public void A_masked_vector_is_delivered_when_it_is_unmasked()
    {
        EnableTwo();
        Ask(Set(None | Mask, MsiXType, 0, 1)).ShouldBeGranted();

        _served.Device.MsiX[0].Trigger().Should().BeTrue();
        _first.Take().Should().Be(0);
        Ask(Set(Bool | Unmask, MsiXType, 0, 1, 1)).ShouldBeGranted();

        _first.Take().Should().Be(1);
    }

    [Fact]
    public void Intx_is_automasked_until_the_client_unmasks_it()
    {
        Ask(Set(EventFds | Trigger, IntxType, 0, 1), _first.Handle).ShouldBeGranted();

        _served.Device.Intx.Assert().Should().BeTrue();
        _first.Take().Should().Be(1);
        _served.Device.Intx.IsMasked.Should().BeTrue();
        Ask(Set(None | Unmask, IntxType, 0, 1)).ShouldBeGranted();

        _first.Take().Should().Be(1); // it is still asserted
        _second.Take().Should().Be(0); // this one is read here, not written
    }

    [Fact]
    public void A_descriptor_that_is_no_eventfd_is_refused()
    {
        // to write to a pipe, say, may take for ever
        using Microsoft.Win32.SafeHandles.SafeFileHandle nothing = Files.DevNull();
        using Microsoft.Win32.SafeHandles.SafeFileHandle memory = Files.Sealed(0x1000);

        Ask(Set(EventFds | Trigger, MsiXType, 0, 1), nothing).ShouldBeRefused(Errno.EINVAL);
        Ask(Set(EventFds | Trigger, MsiXType, 0, 2), _first.Handle, memory).ShouldBeRefused(Errno.EINVAL);

        _client.ShouldBeServed();
        _served.Device.MsiX.Should().OnlyContain(irq => !irq.IsEnabled);
    }

    [Theory]
    [InlineData(Trigger)]
    [InlineData(Mask)]
    [InlineData(Unmask)]
    public void An_anonymous_file_that_is_no_eventfd_is_refused(uint action)
    {
        _first.Signal();
        using Microsoft.Win32.SafeHandles.SafeFileHandle epoll = Files.Epoll(_first.Handle);

        Ask(Set(EventFds | action, IntxType, 0, 1), epoll).ShouldBeRefused(Errno.EINVAL);
        Ask(Set(EventFds | action, MsiXType, 0, 2), _second.Handle, epoll).ShouldBeRefused(Errno.EINVAL);

        _client.ShouldBeServed();
        _served.Device.MsiX.Should().OnlyContain(irq => !irq.IsEnabled);
    }
}
