using System.Buffers;
using System.Buffers.Binary;
using System.Security.Cryptography;

namespace VfioUser.Nvme.Tests.Guide;

/// <summary>Encrypts each block with AES-GCM on another disk, so that a block that was changed there is found out.</summary>
/// <remarks>On the disk below, a block of 4096 bytes is followed by one of 512 with a nonce and a tag. A write that a power
/// loss has torn is found out, too. A key is good for 2³² writes.</remarks>
public sealed class EncryptedDisk(Disk below, ReadOnlyMemory<byte> key) : Disk
{
    private const int Block = 4096, Sealed = Block + 512, NonceLength = 12, TagLength = 16;

    public override long Size => below.Size / Sealed * Block;

    public override string Identity => below.Identity;

    public override bool HasVolatileCache => below.HasVolatileCache;

    public override DiskHints Hints { get; } = new() { BlockSize = Block };

    public override async ValueTask ReadAsync(long offset, Memory<byte> destination, CancellationToken cancellation = default)
    {
        byte[] bytes = ArrayPool<byte>.Shared.Rent(destination.Length / Block * Sealed);
        try
        {
            Memory<byte> blocks = bytes.AsMemory(0, destination.Length / Block * Sealed);
            await below.ReadAsync(offset / Block * Sealed, blocks, cancellation);
            using AesGcm cipher = new(key.Span, TagLength);
            for (int i = 0; i < destination.Length / Block; i++)
                Open(cipher, offset / Block + i, blocks.Span.Slice(i * Sealed, Sealed), destination.Span.Slice(i * Block, Block));
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(bytes);
        }
    }

    public override async ValueTask WriteAsync(long offset, ReadOnlyMemory<byte> source, CancellationToken cancellation = default)
    {
        byte[] bytes = ArrayPool<byte>.Shared.Rent(source.Length / Block * Sealed);
        try
        {
            Memory<byte> blocks = bytes.AsMemory(0, source.Length / Block * Sealed);
            using AesGcm cipher = new(key.Span, TagLength);
            for (int i = 0; i < source.Length / Block; i++)
                Seal(cipher, offset / Block + i, source.Span.Slice(i * Block, Block), blocks.Span.Slice(i * Sealed, Sealed));
            await below.WriteAsync(offset / Block * Sealed, blocks, cancellation);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(bytes);
        }
    }

    protected override ValueTask WriteBackAsync() => below.FlushAsync();

    // the number of the block is authenticated: none can be moved to the place of another
    private static void Seal(AesGcm cipher, long number, ReadOnlySpan<byte> plain, Span<byte> block)
    {
        Span<byte> place = stackalloc byte[sizeof(long)];
        BinaryPrimitives.WriteInt64LittleEndian(place, number);
        block[Block..].Clear();
        Span<byte> nonce = block.Slice(Block, NonceLength);
        RandomNumberGenerator.Fill(nonce);
        cipher.Encrypt(nonce, plain, block[..Block], block.Slice(Block + NonceLength, TagLength), place);
    }

    private static void Open(AesGcm cipher, long number, ReadOnlySpan<byte> block, Span<byte> plain)
    {
        if (!block.ContainsAnyExcept((byte)0))
        {
            plain.Clear(); // never written
            return;
        }
        Span<byte> place = stackalloc byte[sizeof(long)];
        BinaryPrimitives.WriteInt64LittleEndian(place, number);
        try
        {
            cipher.Decrypt(block.Slice(Block, NonceLength), block[..Block], block.Slice(Block + NonceLength, TagLength), plain, place);
        }
        catch (AuthenticationTagMismatchException e)
        {
            throw new DiskException(DiskError.Integrity, $"Block {number} is not what was written.", e);
        }
    }
}
