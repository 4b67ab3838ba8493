using System.Runtime.InteropServices;

namespace VfioUser.Disks.Tests.Rbd;

/// <summary>Addresses of images, as QEMU has them, and what needs no cluster.</summary>
public class RbdAddressTests
{
    [Theory]
    [InlineData("rbd:pool/image", "pool", "", "image", null)]
    [InlineData("rbd:pool/tenant/image", "pool", "tenant", "image", null)]
    [InlineData("rbd:pool/image@monday", "pool", "", "image", "monday")]
    [InlineData(@"rbd:a\:b/c\@d\/e", "a:b", "", "c@d/e", null)]
    public void Address_says_pool_image_and_snapshot(string text, string pool, string space, string image, string? snapshot)
    {
        RbdAddress address = RbdAddress.Parse(text);

        (address.Pool, address.Namespace, address.Image, address.Snapshot).Should().Be((pool, space, image, snapshot));
    }

    [Fact]
    public void Options_are_the_user_a_file_and_any_of_cephs()
    {
        RbdAddress address = RbdAddress.Parse(@"rbd:pool/image:id=guest:conf=/etc/ceph/other.conf:mon_host=[v2\:10.0.0.1\:3300]:key=a\=\=");

        address.User.Should().Be("guest");
        address.Configuration.Should().Be("/etc/ceph/other.conf");
        address.Options.Select(option => (option.Key, option.Value)).Should().Equal(("mon_host", "[v2:10.0.0.1:3300]"), ("key", "a=="));
        address.ToString().Should().Be("rbd:pool/image", "keys are no text for a log");
    }

    [Theory]
    [InlineData("rbd:")]
    [InlineData("rbd:image")]
    [InlineData("rbd:/image")]
    [InlineData("rbd:pool/")]
    [InlineData("rbd:a/b/c/d")]
    [InlineData("rbd:pool/image@")]
    [InlineData("rbd:pool/image@a@b")]
    [InlineData("rbd:pool/image:id")]
    [InlineData("rbd:pool/image:=a")]
    [InlineData("rbd:pool/image:a=b=c")]
    [InlineData("nbd://host/image")]
    public void Other_addresses_are_refused(string text)
    {
        FluentActions.Invoking(() => RbdAddress.Parse(text)).Should().Throw<ArgumentException>();
    }

    [Fact]
    public async Task Library_or_file_that_is_missing_is_named()
    {
        bool isInstalled = NativeLibrary.TryLoad(Librbd.Library, out _);

        await FluentActions.Awaiting(() => DiskAddress.Parse("rbd:pool/image:conf=/no/ceph.conf").OpenAsync()).Should()
            .ThrowAsync<IOException>().WithMessage(isInstalled ? "*/no/ceph.conf: No such file*" : "*librbd1*");
    }
}
