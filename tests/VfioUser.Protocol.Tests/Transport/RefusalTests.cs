using System.Runtime.CompilerServices;

namespace VfioUser.Protocol.Tests.Transport;

public class RefusalTests
{
    [Fact]
    public void The_default_refuses_nothing()
    {
        default(Refusal).IsNone.Should().BeTrue();
        default(Refusal).ToString().Should().BeEmpty();
    }

    [Fact]
    public void A_reason_shows_its_numbers() =>
        Refusal.Invalid("0x{0:x} and {1} and {2}", 0x10, 2, 3).ToString().Should().Be("0x10 and 2 and 3");

    [Fact]
    public void A_text_reason_is_shown_unchanged() =>
        Refusal.Because(Errno.EINVAL, "a field is named {0}").ToString().Should().Be("a field is named {0}");

    [Fact]
    public void A_refusal_is_as_large_as_one_reference() =>
        Unsafe.SizeOf<Refusal>().Should().Be(IntPtr.Size);
}
